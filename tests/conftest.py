"""What every test shares: nothing is fetched, no window opens, no test fails by being slow."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Before anything imports huggingface_hub or matplotlib, which read these once.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["MPLBACKEND"] = "Agg"
# Before anything imports torch: tiny models are slower on more threads, and tests of arrays need
# no torch at all.
os.environ["OMP_NUM_THREADS"] = "1"

# Lets tests of any folder import the helpers that lie beside this file.
sys.path.append(str(Path(__file__).parent))

from hypothesis import settings

settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")
