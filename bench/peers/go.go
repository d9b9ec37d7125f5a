// Go: goroutines on one core.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sort"
	"sync"
	"time"
)

const (
	blocked    = 50000
	longEnough = 200 * time.Millisecond
)

func scheduling(n int) {
	var both sync.WaitGroup
	body := func() {
		for i := 0; i < n/2; i++ {
			runtime.Gosched()
		}
		both.Done()
	}
	both.Add(2)
	go body()
	go body()
	both.Wait()
}

func oneToOne(n int) {
	channel := make(chan int)
	total := make(chan int)
	go func() {
		sum := 0
		for i := 0; i < n; i++ {
			sum ^= <-channel
		}
		total <- sum
	}()
	go func() {
		for i := 0; i < n; i++ {
			channel <- i
		}
	}()
	<-total
}

func blocking(n int) chan int {
	channel := make(chan int)
	for i := 0; i < n; i++ {
		go func() { <-channel }()
	}
	runtime.Gosched()
	return channel
}

func resident() int {
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		panic(err)
	}
	var size, pages int
	fmt.Sscan(string(text), &size, &pages)
	return pages * os.Getpagesize()
}

func seconds(work func(int), n int) time.Duration {
	start := time.Now()
	work(n)
	return time.Since(start)
}

func rate(work func(int)) {
	n := 1000
	for taken := time.Duration(0); taken < longEnough; {
		n *= 2
		taken = seconds(work, n)
	}
	taken := []time.Duration{seconds(work, n), seconds(work, n), seconds(work, n)}
	sort.Slice(taken, func(i, j int) bool { return taken[i] < taken[j] })
	fmt.Printf("[%v]\n", float64(n)/taken[1].Seconds())
}

func main() {
	runtime.GOMAXPROCS(1)
	switch os.Args[1] {
	case "schedule":
		rate(scheduling)
	case "channel":
		rate(oneToOne)
	case "block":
		before := resident()
		start := time.Now()
		kept := blocking(blocked)
		taken := time.Since(start)
		after := resident()
		fmt.Printf("[%v, %v]\n", taken.Seconds()*1e6/blocked, float64(after-before)/blocked)
		runtime.KeepAlive(kept)
	}
}
