package main

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// marker is what each body has where its number goes; as wide as the numbers.
const marker = "@@@@@@@@@@@@"

// requests are whole HTTP requests, ready but for key and number.
type requests struct {
	keys  []string
	ready []prepared
	base  int64 // so that no number of an earlier run comes again
}

type prepared struct{ head, beforeNumber, afterNumber string }

func newRequests(s spec, target *url.URL) *requests {
	made := &requests{keys: s.Keys, base: time.Now().UnixMicro() % 1e11}
	var headers strings.Builder
	for name, value := range s.Headers {
		fmt.Fprintf(&headers, "%s: %s\r\n", name, value)
	}
	for _, body := range s.Bodies {
		before, after, _ := strings.Cut(body, marker)
		length := len(body)
		head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s",
			target.RequestURI(), target.Host, length, headers.String())
		made.ready = append(made.ready, prepared{head, before, after})
	}
	return made
}

func (r *requests) write(buffer []byte, number int64) []byte {
	one := r.ready[int(number)%len(r.ready)]
	buffer = append(buffer, one.head...)
	buffer = append(buffer, "Authorization: Bearer "...)
	buffer = append(buffer, r.keys[int(number)%len(r.keys)]...)
	buffer = append(buffer, "\r\n\r\n"...)
	buffer = append(buffer, one.beforeNumber...)
	if len(one.afterNumber) > 0 {
		digits := strconv.FormatInt(r.base+number, 10)
		buffer = append(buffer, marker[:len(marker)-len(digits)]...)
		buffer = append(buffer, digits...)
	}
	return append(buffer, one.afterNumber...)
}
