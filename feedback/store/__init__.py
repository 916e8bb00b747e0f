"""Redis: how it is found, started, reached and asked; key names and Lua scripts."""
