"""Skills: how an assistant does what people often ask for, with these tools. Each is a folder with a SKILL.md."""
