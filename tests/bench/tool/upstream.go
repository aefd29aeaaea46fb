package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// How the upstream answers; PUT /_settings changes it.
type settings struct {
	DelayMS float64 `json:"delay_ms"` // before an answer, or a stream's first chunk
	GapMS   float64 `json:"gap_ms"`   // between two chunks
	Chunks  int     `json:"chunks"`   // of a stream that hold text
	Content string  `json:"content"`  // of a plain answer
}

type upstream struct {
	settings atomic.Pointer[settings]
	calls    atomic.Int64 // that came
	finished atomic.Int64 // whose answer was written to the end
	buffers  sync.Pool
}

const usage = `{"prompt_tokens":20,"completion_tokens":20,"total_tokens":40}`

func serve(address string) error {
	u := &upstream{}
	u.settings.Store(&settings{Chunks: 20, Content: "Der Hund bellt."})
	u.buffers.New = func() any { return new(bytes.Buffer) }
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", u.chat)
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"object":"list","data":[{"id":"gpt-4o-mini","object":"model"}]}`)
	})
	mux.HandleFunc("PUT /_settings", u.change)
	mux.HandleFunc("GET /_calls", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"calls":%d,"finished":%d}`, u.calls.Load(), u.finished.Load())
	})
	return http.ListenAndServe(address, mux)
}

func (u *upstream) change(w http.ResponseWriter, r *http.Request) {
	var next settings
	if err := json.NewDecoder(r.Body).Decode(&next); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	u.settings.Store(&next)
}

func (u *upstream) chat(w http.ResponseWriter, r *http.Request) {
	number := u.calls.Add(1)
	body := u.buffers.Get().(*bytes.Buffer)
	body.Reset()
	defer u.buffers.Put(body)
	if _, err := io.Copy(body, r.Body); err != nil {
		return
	}
	now := *u.settings.Load()
	pause(now.DelayMS)
	if has(body.Bytes(), "stream") {
		u.stream(w, number, now, has(body.Bytes(), "include_usage"))
	} else {
		u.plain(w, number, now)
	}
}

func (u *upstream) plain(w http.ResponseWriter, number int64, now settings) {
	content, _ := json.Marshal(now.Content)
	answer := fmt.Sprintf(`{"id":"chatcmpl-%d","object":"chat.completion","created":1700000000,"model":"gpt-4o-mini",`+
		`"choices":[{"index":0,"message":{"role":"assistant","content":%s},"finish_reason":"stop"}],"usage":%s}`,
		number, content, usage)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	if _, err := io.WriteString(w, answer); err == nil {
		u.finished.Add(1)
	}
}

func (u *upstream) stream(w http.ResponseWriter, number int64, now settings, withUsage bool) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	flusher := w.(http.Flusher)
	send := func(choices, rest string) error {
		_, err := fmt.Fprintf(w, `data: {"id":"chatcmpl-%d","object":"chat.completion.chunk","created":1700000000,`+
			`"model":"gpt-4o-mini","choices":[%s]%s}`+"\n\n", number, choices, rest)
		flusher.Flush()
		return err
	}
	err := send(`{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}`, "")
	for chunk := 0; chunk < now.Chunks && err == nil; chunk++ {
		if chunk > 0 {
			pause(now.GapMS)
		}
		err = send(fmt.Sprintf(`{"index":0,"delta":{"content":"wort%d "},"finish_reason":null}`, chunk), "")
	}
	if err == nil {
		err = send(`{"index":0,"delta":{},"finish_reason":"stop"}`, "")
	}
	if withUsage && err == nil {
		err = send("", `,"usage":`+usage)
	}
	if _, last := io.WriteString(w, "data: [DONE]\n\n"); err == nil && last == nil {
		u.finished.Add(1)
	}
}

// has tells whether a field is true; each gateway writes JSON in its own way.
func has(body []byte, field string) bool {
	return bytes.Contains(body, []byte(`"`+field+`":true`)) || bytes.Contains(body, []byte(`"`+field+`": true`))
}

func pause(milliseconds float64) {
	if milliseconds > 0 {
		time.Sleep(time.Duration(milliseconds * float64(time.Millisecond)))
	}
}
