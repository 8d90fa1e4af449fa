// Goroutines, channels, the collector, faults that become panics, and loops that only a signal stops.
package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sort"
	"sync"
	"time"
)

type node struct{ left, right *node }

func grow(n int) *node {
	if n == 0 {
		return &node{}
	}
	return &node{grow(n - 1), grow(n - 1)}
}

func (n *node) count() int {
	if n.left == nil {
		return 1
	}
	return 1 + n.left.count() + n.right.count()
}

func attempt(f func()) {
	defer func() { fmt.Println(recover()) }()
	f()
}

func spin() {
	for x := uint(1); x != 0; x |= 1 {
		x *= 3
	}
}

func main() {
	runtime.GOMAXPROCS(4)
	var group sync.WaitGroup
	results := make(chan int, 10)
	for i := 0; i < 1000; i++ {
		group.Add(1)
		go func(i int) { defer group.Done(); results <- i * i }(i)
	}
	go func() { group.Wait(); close(results) }()
	sum := 0
	for v := range results {
		sum += v
	}
	fmt.Println(sum)
	for i := 0; i < 20; i++ {
		if n := grow(13).count(); n != 1<<14-1 {
			fmt.Println("wrong tree", n)
		}
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	fmt.Println(m.NumGC > 1)
	runtime.GOMAXPROCS(1)
	go spin()
	time.Sleep(20 * time.Millisecond)
	fmt.Println("preempted")
	runtime.GOMAXPROCS(2)
	var nowhere *node
	zero := len(os.Args) - 1
	attempt(func() { fmt.Println(nowhere.left) })
	attempt(func() { fmt.Println(1 / zero) })
	attempt(func() { fmt.Println([]int{1}[zero+3]) })
	words := map[string]int{}
	for i := 0; i < 100000; i++ {
		words[fmt.Sprint("w", i%101)]++
	}
	var keys []string
	for k := range words {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	fmt.Println(len(keys), keys[7], words[keys[7]])
	fmt.Printf("%x %.17g\n", sha256.Sum256([]byte("abc")), 0.1)
	out, err := exec.Command("sh", "-c", "echo child; exit 3").Output()
	var status *exec.ExitError
	fmt.Printf("%s%v %v\n", out, errors.As(err, &status), err)
	select {
	case <-time.After(10 * time.Millisecond):
		fmt.Println("time")
	case <-make(chan int):
	}
	os.Exit(7)
}
