package proxy

import "github.com/google/uuid"

// ConversationID reads the two forms of a conversation id that are taken, 32 hex digits and 8-4-4-4-12, in any case. The
// upstream also takes braces and urn:uuid:, which we refuse.
func ConversationID(s string) (uuid.UUID, bool) {
	if len(s) != 32 && len(s) != 36 {
		return uuid.Nil, false
	}
	id, err := uuid.Parse(s)
	return id, err == nil
}
