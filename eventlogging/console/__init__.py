"""The console: what people and programs see of the platform over HTTP, events aside."""
