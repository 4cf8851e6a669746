"""A first draft of a layout from a sample of tickets nobody has described.

What is guessed has its reason beside it, and what is doubtful is said to be: a draft is checked by
a person before it is confirmed.

``draft`` goes through these steps:

1. ``content`` and ``encodings`` read a piece of each file as text;
2. ``kinds`` finds how it becomes tickets and fields (``shape``, ``naming``): ``json_tree``,
   ``xml_tree``, ``delimited``, ``fixed`` or, by patterns, ``tokens``;
3. ``guessing`` says what the values of a field look like (``instants``, ``durations``), ``words``
   what its name and its codes mean;
4. ``clocks``, ``lengths``, ``parties`` and ``details`` choose the fields of the columns, and write
   reasons and doubts into ``choices``;
5. ``writing`` makes YAML of it (``text``, ``yaml_texts``).
"""
