package postgres

import (
	"strings"

	"github.com/google/uuid"
)

// Topic says what kind of thing changed.
type Topic string

// The topics that replicas tell each other about.
const (
	TopicSession      Topic = "session"
	TopicUser         Topic = "user"
	TopicTeam         Topic = "team"
	TopicConversation Topic = "conversation"
	TopicInstallation Topic = "installation"
	TopicMail         Topic = "mail" // one was put in the outbox
)

// Event says that one thing changed. The zero Event means that anything may have changed: something may have been missed.
type Event struct {
	Topic Topic
	ID    uuid.UUID
}

// channel is the one channel for events and heartbeats: the order within a channel is what a heartbeat proves.
const channel = "openhands_saas"

func (e Event) encode() string { return string(e.Topic) + ":" + e.ID.String() }

// decode gives the zero Event for what it does not understand, such as a form that a newer replica sends: safe, if slow.
func decode(payload string) Event {
	topic, id, _ := strings.Cut(payload, ":")
	parsed, err := uuid.Parse(id)
	if err != nil {
		return Event{}
	}
	return Event{Topic: Topic(topic), ID: parsed}
}
