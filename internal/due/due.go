// Package due keeps things in the order of the times at which they are due.
package due

import (
	"container/heap"
	"time"
)

// Entry is the place of a thing in a queue; things embed it.
type Entry struct {
	at    time.Time
	place int // in the heap, from 1; 0: in no queue
}

func (e *Entry) entry() *Entry { return e }

// Thing is a pointer to a struct that embeds an Entry.
type Thing interface{ entry() *Entry }

// Queue is a heap of things. Its zero value is empty. A thing is in one queue at most.
type Queue[T Thing] struct{ list list[T] }

// Len is the number of things.
func (q *Queue[T]) Len() int { return len(q.list) }

// Add adds a thing that is in no queue.
func (q *Queue[T]) Add(t T, at time.Time) {
	t.entry().at = at
	heap.Push(&q.list, t)
}

// Remove removes a thing and reports whether it was here.
func (q *Queue[T]) Remove(t T) bool {
	place := t.entry().place
	if place > 0 {
		heap.Remove(&q.list, place-1)
	}
	return place > 0
}

// Next is when the first thing is due; the zero time if there is none.
func (q *Queue[T]) Next() time.Time {
	if len(q.list) == 0 {
		return time.Time{}
	}
	return q.list[0].entry().at
}

// Pop removes the first thing if it is due.
func (q *Queue[T]) Pop(now time.Time) (t T, ok bool) {
	if len(q.list) == 0 || q.Next().After(now) {
		return t, false
	}
	return heap.Pop(&q.list).(T), true
}

// Clear removes all things.
func (q *Queue[T]) Clear() []T {
	all := q.list
	q.list = nil
	for _, t := range all {
		t.entry().place = 0
	}
	return all
}

type list[T Thing] []T

func (l list[T]) Len() int           { return len(l) }
func (l list[T]) Less(i, j int) bool { return l[i].entry().at.Before(l[j].entry().at) }

func (l list[T]) Swap(i, j int) {
	l[i], l[j] = l[j], l[i]
	l[i].entry().place, l[j].entry().place = i+1, j+1
}

func (l *list[T]) Push(x any) {
	*l = append(*l, x.(T))
	x.(T).entry().place = len(*l)
}

func (l *list[T]) Pop() any {
	last := len(*l) - 1
	t := (*l)[last]
	clear((*l)[last:]) // else it stays in memory
	*l = (*l)[:last]
	t.entry().place = 0
	return t
}
