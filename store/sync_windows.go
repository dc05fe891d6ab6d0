package store

// syncDir does nothing: NTFS journals directory entries, and a directory cannot
// be opened for FlushFileBuffers.
func syncDir(string) error { return nil }
