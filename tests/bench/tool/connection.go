package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

const answerSeconds = 120

// refusal is an answer with another status than 200.
type refusal struct{ status, text string }

func (r refusal) Error() string { return r.status + " " + r.text }

// answer is when the parts of a whole one came, in milliseconds.
type answer struct {
	first float64
	gaps  []float64
}

// connection speaks as much of HTTP/1.1 as the servers here answer with, and costs some µs a request.
type connection struct {
	host   string
	socket net.Conn
	reader *bufio.Reader
}

func (c *connection) close() {
	if c.socket != nil {
		c.socket.Close()
		c.socket = nil
	}
}

// ask sends a request and reads its whole answer.
func (c *connection) ask(request []byte, stream bool, begun time.Time) (answer, error) {
	if c.socket == nil {
		socket, err := net.DialTimeout("tcp", c.host, 10*time.Second)
		if err != nil {
			return answer{}, err
		}
		c.socket, c.reader = socket, bufio.NewReaderSize(socket, 32<<10)
	}
	if err := c.socket.SetDeadline(begun.Add(answerSeconds * time.Second)); err != nil {
		return answer{}, err
	}
	if _, err := c.socket.Write(request); err != nil {
		return answer{}, err
	}
	head, err := c.readHead()
	if err != nil {
		return answer{}, err
	}
	events := &events{begun: begun}
	body := &kept{}
	sink := io.Writer(body)
	if stream && head.status == "200" {
		sink = events
	}
	if err := c.readBody(head, sink); err != nil {
		return answer{}, err
	}
	if head.closes {
		c.close()
	}
	if head.status != "200" {
		return answer{}, refusal{"status " + head.status, string(body.first)}
	}
	if stream && (!events.done || events.failed != "") {
		return answer{}, errors.New("the stream did not end well " + events.failed)
	}
	return events.answer, nil
}

type head struct {
	status  string
	length  int64 // -1 for chunks
	closes  bool
	chunked bool
}

func (c *connection) readHead() (head, error) {
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return head{}, err
	}
	if len(line) < 13 {
		return head{}, fmt.Errorf("not HTTP: %q", line)
	}
	found := head{status: string(line[9:12]), length: -1}
	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return head{}, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return found, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch strings.ToLower(string(name)) {
		case "content-length":
			found.length, err = strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
			if err != nil {
				return head{}, err
			}
		case "transfer-encoding":
			found.chunked = true
		case "connection":
			found.closes = strings.EqualFold(string(bytes.TrimSpace(value)), "close")
		}
	}
}

func (c *connection) readBody(h head, sink io.Writer) error {
	if !h.chunked {
		if h.length < 0 {
			return errors.New("an answer without a length")
		}
		_, err := io.CopyN(sink, c.reader, h.length)
		return err
	}
	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 64)
		if err != nil {
			return err
		}
		if size > 0 {
			if _, err := io.CopyN(sink, c.reader, size); err != nil {
				return err
			}
		}
		if _, err := c.reader.Discard(2); err != nil {
			return err
		}
		if size == 0 {
			return nil
		}
	}
}

// kept is the beginning of a body; the rest is counted out and forgotten.
type kept struct{ first []byte }

func (k *kept) Write(data []byte) (int, error) {
	if room := 300 - len(k.first); room > 0 {
		k.first = append(k.first, data[:min(room, len(data))]...)
	}
	return len(data), nil
}
