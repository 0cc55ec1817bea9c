package agentserver

import "os"

// RemoveBelow is how a folder is removed through the mount: for a test that tries it thousands of times.
func RemoveBelow(dir *os.Root, names ...string) error { return removeBelow(dir, names) }
