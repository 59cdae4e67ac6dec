"""Configuration formats as text: one value is set or removed, and comments, order and style of the rest stay."""
