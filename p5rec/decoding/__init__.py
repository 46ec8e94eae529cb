"""The walk from a prompt to items: trie, history prior, scores and search."""
