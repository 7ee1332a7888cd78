"""The keys of a policy's file: one table by which values are read, and of which the JSON Schema is made."""
