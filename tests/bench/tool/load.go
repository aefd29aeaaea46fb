package main

import (
	"encoding/json"
	"io"
	"net/url"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// What to ask. Each body holds marker once, where a number that never repeats is put.
type spec struct {
	URL         string            `json:"url"`
	Headers     map[string]string `json:"headers"`
	Keys        []string          `json:"keys"`
	Bodies      []string          `json:"bodies"`
	Connections int               `json:"connections"`
	WarmSeconds float64           `json:"warm_seconds"` // asked before, and counted, but not timed
	Seconds     float64           `json:"seconds"`
	Requests    int64             `json:"requests"` // ends after so many, when not 0
	Stream      bool              `json:"stream"`
}

// What was seen. A request that began is always waited for, so that answers can be held against
// the upstream's calls and the rows in a database.
type result struct {
	Answers      int64            `json:"answers"` // whole ones, warm-up and all
	Failures     map[string]int64 `json:"failures"`
	Failure      string           `json:"failure"` // the first one's words
	Rate         float64          `json:"rate"`    // answers a second, of those that ended within the time
	WholeMS      spread           `json:"whole_ms"`
	FirstTokenMS spread           `json:"first_token_ms"`
	GapMS        spread           `json:"gap_ms"`
	Chunks       int64            `json:"chunks"`
	ClientCPU    float64          `json:"client_cpu_seconds"`
	Elapsed      float64          `json:"elapsed_seconds"`
}

type seen struct {
	whole, first, gaps []float64
	answers, ended     int64
	chunks             int64
	failures           map[string]int64
	failure            string
}

func load(in io.Reader, out io.Writer) error {
	var s spec
	if err := json.NewDecoder(in).Decode(&s); err != nil {
		return err
	}
	target, err := url.Parse(s.URL)
	if err != nil {
		return err
	}
	requests := newRequests(s, target)
	begun := time.Now()
	warm := begun.Add(duration(s.WarmSeconds))
	stop := warm.Add(duration(s.Seconds))
	var started atomic.Int64
	all := make([]seen, s.Connections)
	var group sync.WaitGroup
	for n := range all {
		group.Add(1)
		go func() {
			defer group.Done()
			all[n] = work(s, target.Host, requests, warm, stop, &started)
		}()
	}
	group.Wait()
	made := sum(all, s.Seconds)
	made.Elapsed = time.Since(begun).Seconds()
	if s.Requests > 0 {
		made.Rate = float64(made.Answers) / made.Elapsed
	}
	made.ClientCPU = processorSeconds()
	return json.NewEncoder(out).Encode(made)
}

// work asks one question after the other on one connection.
func work(s spec, host string, requests *requests, warm, stop time.Time, started *atomic.Int64) seen {
	mine := seen{failures: map[string]int64{}}
	connection := &connection{host: host}
	defer connection.close()
	var buffer []byte
	for time.Now().Before(stop) {
		number := started.Add(1)
		if s.Requests > 0 && number > s.Requests {
			break
		}
		buffer = requests.write(buffer[:0], number)
		begun := time.Now()
		answer, err := connection.ask(buffer, s.Stream, begun)
		ended := time.Now()
		if err != nil {
			connection.close()
			mine.fail(err)
			time.Sleep(10 * time.Millisecond) // a server that refuses is not to be hammered
			continue
		}
		mine.answers++
		mine.chunks += int64(len(answer.gaps)) + 1
		if ended.After(warm) && ended.Before(stop) {
			mine.ended++
		}
		if begun.Before(warm) {
			continue
		}
		mine.whole = append(mine.whole, milliseconds(ended.Sub(begun)))
		if s.Stream {
			mine.first = append(mine.first, answer.first)
			mine.gaps = append(mine.gaps, answer.gaps...)
		}
	}
	return mine
}

func (s *seen) fail(err error) {
	kind := "no whole answer"
	if refused, ok := err.(refusal); ok {
		kind = refused.status
	}
	s.failures[kind]++
	if s.failure == "" {
		s.failure = err.Error()
	}
}

func sum(all []seen, seconds float64) result {
	made := result{Failures: map[string]int64{}}
	var whole, first, gaps []float64
	var ended int64
	for _, one := range all {
		made.Answers += one.answers
		made.Chunks += one.chunks
		ended += one.ended
		whole, first, gaps = append(whole, one.whole...), append(first, one.first...), append(gaps, one.gaps...)
		for kind, count := range one.failures {
			made.Failures[kind] += count
		}
		if made.Failure == "" {
			made.Failure = one.failure
		}
	}
	made.Rate = float64(ended) / max(seconds, 1e-9)
	made.WholeMS, made.FirstTokenMS, made.GapMS = spreadOf(whole), spreadOf(first), spreadOf(gaps)
	return made
}

func processorSeconds() float64 {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return float64(used.Utime.Sec+used.Stime.Sec) + float64(used.Utime.Usec+used.Stime.Usec)/1e6
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
