"""The matrix: every mode on every operation at every boundary, generated, through real HTTP.

`modes` says what modes there are and how each shows itself; `model` says what must come back; the other modules
generate cases, one family of operations each. A case has a name; `MATRIX_CASE` picks some by a pattern of names.
"""
