//go:build !unmasked

package proxy

// masks is true in every build that people run; there is no switch for it at run time.
const masks = true
