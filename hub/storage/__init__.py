"""All SQL of the hub.

``database`` opens and migrates the one file; ``writer`` owns the only connection that writes and
commits in groups; ``readers`` serve look-ups; the other modules are the tables' queries, a module
for each subject, as plain functions over :class:`~hub.storage.rows.Rows`.
"""
