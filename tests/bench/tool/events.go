package main

import (
	"bytes"
	"time"
)

// events times the text in a stream of server-sent events.
type events struct {
	answer
	begun, last time.Time
	rest        []byte
	done        bool
	failed      string
}

func (e *events) Write(data []byte) (int, error) {
	e.rest = append(e.rest, data...)
	for {
		end := bytes.IndexByte(e.rest, '\n')
		if end < 0 {
			return len(data), nil
		}
		e.line(e.rest[:end])
		e.rest = e.rest[end+1:]
	}
}

func (e *events) line(line []byte) {
	switch {
	case bytes.HasPrefix(line, []byte("data: [DONE]")):
		e.done = true
	case bytes.HasPrefix(line, []byte(`data: {"error"`)):
		e.failed = string(line)
	case holdsText(line):
		now := time.Now()
		if e.last.IsZero() {
			e.first = milliseconds(now.Sub(e.begun))
		} else {
			e.gaps = append(e.gaps, milliseconds(now.Sub(e.last)))
		}
		e.last = now
	}
}

// holdsText tells whether an event has content that is not empty.
func holdsText(line []byte) bool {
	_, after, found := bytes.Cut(line, []byte(`"content":`))
	after = bytes.TrimLeft(after, " ")
	return found && len(after) > 1 && after[0] == '"' && after[1] != '"'
}
