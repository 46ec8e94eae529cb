"""The language model: recipes, backbones, item tokens, prompts as numbers, bundles."""
