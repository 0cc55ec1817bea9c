//go:build unix && !linux

package embedpg

import "syscall"

// endWithUs does nothing here: after a crash of ours the server stays, and the next start says how to end it.
func endWithUs(*syscall.SysProcAttr) {}
