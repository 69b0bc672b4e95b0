"""What an application's options are: declared, written, found, followed, shown."""
