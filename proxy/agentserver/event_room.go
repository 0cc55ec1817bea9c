package agentserver

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

// rooms are reused for the answers that are read whole.
type rooms struct{ pool sync.Pool }

// maxRoom bounds what is kept for the next.
const maxRoom = 4 << 20

// get returns an empty room, for so many bytes where that is known.
func (r *rooms) get(size int64) *bytes.Buffer {
	room, ok := r.pool.Get().(*bytes.Buffer)
	if !ok {
		room = new(bytes.Buffer)
	}
	room.Reset()
	room.Grow(int(max(size, 0)) + bytes.MinRead)
	return room
}

// lend makes what was made of a room's bytes a body. Closing it gives the room back.
func (r *rooms) lend(body []byte, room *bytes.Buffer) io.ReadCloser {
	return &inRoom{body: body, room: room, rooms: r}
}

// inRoom is a body that stands in a room. It is closed by whoever ends the request, while another may be reading.
type inRoom struct {
	mu    sync.Mutex
	body  []byte
	room  *bytes.Buffer // nil once it was given back
	rooms *rooms
}

// Read fails after Close: the bytes are another's then.
func (b *inRoom) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.room == nil {
		return 0, http.ErrBodyReadAfterClose
	}
	n := copy(p, b.body)
	if b.body = b.body[n:]; len(b.body) == 0 {
		return n, io.EOF
	}
	return n, nil
}

// Close may be called often.
func (b *inRoom) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.room != nil && b.room.Cap() <= maxRoom {
		b.rooms.pool.Put(b.room)
	}
	b.body, b.room = nil, nil
	return nil
}
