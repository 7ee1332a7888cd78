"""Kong's declarative configuration, and the policy that limits as its plugins do."""
