"""A first draft of a layout from a sample of tickets nobody has described.

What is guessed has its reason beside it, and what is doubtful is said to be: a draft is checked by
a person before it is confirmed.
"""
