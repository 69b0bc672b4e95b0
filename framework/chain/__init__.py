"""The search through the links: order, failures, deadlines, what is kept."""
