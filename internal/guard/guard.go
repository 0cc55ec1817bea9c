// Package guard names what the product does so that nobody is shown what is another's, and says of each that it is done.
//
// It decides nothing. In every build that people run all guards stand, by a constant that leaves nothing to switch. A build with
// the tag "untreated", which the end-to-end tests make, takes out what its environment names. Its key idea: that nothing leaked
// proves something only where the same judge sees each leak once the guard against it is gone.
package guard

// Guard is one of them. The first six have the names of the treatments.
type Guard string

// The guards.
const (
	Own     Guard = "OWN"     // that a conversation's owner is asked for
	Filter  Guard = "FILTER"  // that lists and batches are narrowed
	Create  Guard = "CREATE"  // that bodies are made anew, and ids reserved
	Confine Guard = "CONFINE" // that folders of the host are the team's
	Virtual Guard = "VIRTUAL" // that we answer for what the upstream keeps once for all
	Deny    Guard = "DENY"    // that what serves nobody is refused

	Masking Guard = "masking" // of the keys' own bytes
	Headers Guard = "headers" // of the upstream's answers
	Errors  Guard = "errors"  // that failures of the upstream are not shown
	Objects Guard = "objects" // that conversations are narrowed
	Stored  Guard = "stored"  // that stored events are
	Frames  Guard = "frames"  // that live events are
)

// All lists them.
func All() []Guard {
	return []Guard{Own, Filter, Create, Confine, Virtual, Deny, Masking, Headers, Errors, Objects, Stored, Frames}
}
