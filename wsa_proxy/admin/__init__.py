"""The page of a running node: its configuration file, edited.

yaml_places         where each value stands in a YAML text
yaml_patch          one value of the text replaced, added or removed; every other character stays
masking             a text without its secrets, and what differs between two of them
form                the fields of a form as typed, and the values that they become
pending             changes that were submitted and not yet committed
configuration_file  the file: whether it can be written, and how
editing             submit, commit and abandon, for one node
"""
