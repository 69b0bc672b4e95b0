"""The steps, the oldest first: each makes our tables newer by one version."""
