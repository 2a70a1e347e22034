"""Several processes on one machine: one that looks after them, and workers that listen at the same address.

What they share is the store; what one of them has to know of another's turns, they ask each other (`peers`).
"""
