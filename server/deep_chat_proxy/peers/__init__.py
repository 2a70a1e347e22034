"""Processes that share a store ask each other about the turns that they play: over a socket in the file system, which
nobody but their own user can open.
"""
