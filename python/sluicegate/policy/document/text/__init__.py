"""The text of a policy's file as nodes with their lines, whether it is TOML or YAML."""
