package main

func Example() {
	main()
	// Output: Hello, Bob! (11 letters)
}
