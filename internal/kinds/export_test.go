package kinds

// FileName is for tests.
var FileName = fileName
