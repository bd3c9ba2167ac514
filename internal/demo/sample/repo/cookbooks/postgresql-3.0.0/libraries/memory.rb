module Postgresql
  # Memory derives settings from the size of the machine.
  module Memory
    MEGABYTE = 1024

    # A quarter of the memory, but no more than 16 GB.
    def self.shared_buffers(total_kb)
      megabytes = total_kb / MEGABYTE / 4
      "#{[megabytes, 16_384].min}MB"
    end
  end
end
