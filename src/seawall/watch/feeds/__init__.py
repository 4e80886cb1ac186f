"""What providers and venues say of themselves; one adapter for each kind of feed."""
