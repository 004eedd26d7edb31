"""The forwarder: intake on a web head, whose log goes to storage servers instead of a database."""
