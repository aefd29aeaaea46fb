package main

import "sort"

type spread struct {
	Count int     `json:"count"`
	Mean  float64 `json:"mean"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	sort.Float64s(values)
	at := func(share float64) float64 { return values[min(len(values)-1, int(share*float64(len(values))))] }
	total := 0.0
	for _, value := range values {
		total += value
	}
	return spread{len(values), total / float64(len(values)), at(0.5), at(0.9), at(0.99), values[len(values)-1]}
}
