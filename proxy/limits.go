package proxy

import (
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Limits keep one tenant from taking the upstream's connections, memory and run slots from the others. They count on this
// replica. 0 is the default, a negative number no limit. Anonymous callers are one team, and one user for each address.
type Limits struct {
	RequestsByUser int // requests that are being answered, 64
	RequestsByTeam int // 256
	UploadsByUser  int // requests with a body that is longer than 256 KiB, or that does not say how long it is, 8
	SocketsByUser  int // open WebSockets, 32
	SocketsByTeam  int // 128
	StartsByTeam   int // operations of treatment Create that are being answered, 10
	StartsByMinute int // those of them that were accepted within a minute, by team, 60

	// The upstream serves some 47 sockets of a conversation, and whoever has them all keeps everybody else out.
	SubscribersByUser         int // WebSockets of one user to one conversation, 16
	SubscribersByConversation int // of all, 40
}

func (l Limits) withDefaults() Limits {
	l.RequestsByUser, l.RequestsByTeam = or(l.RequestsByUser, 64), or(l.RequestsByTeam, 256)
	l.UploadsByUser = or(l.UploadsByUser, 8)
	l.SocketsByUser, l.SocketsByTeam = or(l.SocketsByUser, 32), or(l.SocketsByTeam, 128)
	l.StartsByTeam, l.StartsByMinute = or(l.StartsByTeam, 10), or(l.StartsByMinute, 60)
	l.SubscribersByUser, l.SubscribersByConversation = or(l.SubscribersByUser, 16), or(l.SubscribersByConversation, 40)
	return l
}

// fair is what the limits are counted with.
type fair struct {
	requestsByUser, requestsByTeam, uploadsByUser, socketsByUser, socketsByTeam *quota
	startsByTeam, subscribersByUser, subscribersByConversation                  *quota
	starts                                                                      *pace
}

func newFair(l Limits, now func() time.Time) *fair {
	soon, later := time.Second, 5*time.Second
	return &fair{
		requestsByUser:            newQuota(l.RequestsByUser, tooMany(soon, "requests at a time", "you have", l.RequestsByUser)),
		requestsByTeam:            newQuota(l.RequestsByTeam, tooMany(soon, "requests at a time", "your team has", l.RequestsByTeam)),
		uploadsByUser:             newQuota(l.UploadsByUser, tooMany(later, "uploads at a time", "you have", l.UploadsByUser)),
		socketsByUser:             newQuota(l.SocketsByUser, tooMany(later, "open WebSockets", "you have", l.SocketsByUser)),
		socketsByTeam:             newQuota(l.SocketsByTeam, tooMany(later, "open WebSockets", "your team has", l.SocketsByTeam)),
		startsByTeam:              newQuota(l.StartsByTeam, tooMany(later, "conversations that are starting", "your team has", l.StartsByTeam)),
		subscribersByUser:         newQuota(l.SubscribersByUser, tooMany(later, "WebSockets to this conversation", "you have", l.SubscribersByUser)),
		subscribersByConversation: newQuota(l.SubscribersByConversation, tooMany(later, "WebSockets to this conversation", "there are", l.SubscribersByConversation)),
		starts: &pace{
			most: l.StartsByMinute, within: time.Minute, now: now, begun: map[uuid.UUID][]time.Time{},
			detail: fmt.Sprintf("Your team started %d conversations within a minute, which is the limit: wait a little.", l.StartsByMinute),
		},
	}
}

// tooMany is short, because it also has to fit into a close frame.
func tooMany(wait time.Duration, what, who string, most int) *problem.Error {
	e := problem.Newf(http.StatusTooManyRequests, "Too many %s: %s %d, which is the limit. Try again when one has ended.", what, who, most)
	e.RetryAfter = wait
	return e
}

// user is whom a share is counted for.
func (x *Exchange) user() key {
	if p := x.Principal(); !p.Anonymous {
		return key{a: p.User}
	}
	return key{a: household(x.engine.peers.client(x.Request)).As16()}
}

// share takes the places that a request needs, once it is known to be allowed. The one of its user was taken before.
func (x *Exchange) share() error {
	f, team := x.engine.fair, key{a: x.Team()}
	if err := x.shares.take(f.requestsByTeam, team); err != nil {
		return err
	}
	if x.body != nil && long(x.Request.ContentLength) {
		if err := x.shares.take(f.uploadsByUser, x.user()); err != nil {
			return err
		}
	}
	if x.Operation.Treatment != Create {
		return nil
	}
	if err := x.shares.take(f.startsByTeam, team); err != nil {
		return err
	}
	return f.starts.open(x.Team())
}

// Begin counts a start, once it is known that the upstream will be asked for it: what is refused before costs the team none of
// its starts. Every operation of treatment Create must call it.
func (x *Exchange) Begin() error { return x.engine.fair.starts.begin(x.Team()) }

// shareSocket takes the places that a socket needs.
func (x *Exchange) shareSocket() error {
	f := x.engine.fair
	if err := x.shares.take(f.socketsByUser, x.user()); err != nil {
		return err
	}
	return x.shares.take(f.socketsByTeam, key{a: x.Team()})
}

// subscribe takes a place at the conversation.
func (x *Exchange) subscribe() error {
	if x.Object.State == access.StateNone {
		return nil
	}
	f, user := x.engine.fair, x.user()
	if err := x.shares.take(f.subscribersByUser, key{a: user.a, b: x.Object.ID}); err != nil {
		return err
	}
	return x.shares.take(f.subscribersByConversation, key{a: x.Object.ID})
}
