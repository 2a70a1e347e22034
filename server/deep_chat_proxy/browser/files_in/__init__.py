"""Files of visitors on their way in: what they are, how much of them is taken, and where they lie meanwhile."""
