"""The text of an answer on its way from the model's words to what a page may render as Markdown.

`scanner` reads the words piece by piece, with `lines` for blocks, `links` for links, pictures and definitions and
`markers` for what stands for sources; what is to be shown otherwise than it stands there becomes a mark (`marks`).
`writing` writes words and marks as they are shown, `finding` finds the places that only annotations tell of.
"""
