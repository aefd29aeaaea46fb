// bench-tool is both ends of a measurement, compiled so that neither is what is measured.
//
//	bench-tool upstream [ADDRESS]   a model provider that answers at once, or as it is told; counts its calls
//	bench-tool load < SPEC          asks by the specification on standard input, writes what it saw as JSON
package main

import (
	"log"
	"os"
)

func main() {
	log.SetFlags(0)
	switch {
	case len(os.Args) > 1 && os.Args[1] == "upstream":
		address := ":9000"
		if len(os.Args) > 2 {
			address = os.Args[2]
		}
		log.Fatal(serve(address))
	case len(os.Args) > 1 && os.Args[1] == "load":
		if err := load(os.Stdin, os.Stdout); err != nil {
			log.Fatal(err)
		}
	default:
		log.Fatal("usage: bench-tool upstream [ADDRESS] | load < SPEC")
	}
}
