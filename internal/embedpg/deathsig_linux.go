package embedpg

import "syscall"

// endWithUs has the kernel end the child when the thread that started it dies, also by kill -9: with a fast shutdown.
func endWithUs(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGINT }
