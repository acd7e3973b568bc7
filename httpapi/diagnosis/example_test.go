package diagnosis_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"rescind/cluster"
	"rescind/httpapi/diagnosis"
)

// A node that was told to stop, as its dashboard judges it.
func ExampleProblems() {
	dir, err := os.MkdirTemp("", "rescind-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	node, err := cluster.Open(context.Background(), cluster.Config{Name: "api-1", DataDir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer node.Close()

	fmt.Println(len(diagnosis.Problems(diagnosis.View{Status: node.Status()})), "problems")
	for _, p := range diagnosis.Problems(diagnosis.View{Status: node.Status(), Draining: true}) {
		fmt.Println(p.Name)
	}
	// Output:
	// 0 problems
	// draining
}
