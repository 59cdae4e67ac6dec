"""The workers that hear and speak."""
