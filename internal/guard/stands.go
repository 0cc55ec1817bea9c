//go:build !untreated

package guard

// Stands says whether a guard does its work: all do, in every build that people run.
func Stands(Guard) bool { return true }
