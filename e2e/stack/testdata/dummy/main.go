// Command dummy stands in for the product in the tests of the stack.
package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	if os.Getenv("FAIL") != "" {
		fmt.Println("dummy: told to fail")
		os.Exit(3)
	}
	http.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("/environment", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, os.Environ()) })
	fmt.Println("dummy: serving in", os.Getenv("DATA_DIR"))
	if err := http.ListenAndServe(os.Getenv("HOST")+":"+os.Getenv("PORT"), nil); err != nil {
		fmt.Println("dummy:", err)
		os.Exit(1)
	}
}
