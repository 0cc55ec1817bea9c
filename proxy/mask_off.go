//go:build unmasked

package proxy

// masks is false only in the build that a test makes of the product with the tag "unmasked", to prove that it would notice a
// key that gets through. Never run that build for anything else.
const masks = false
