#![cfg_attr(feature = "libfuzzer", no_main)]

ack_ram_fuzz::program!(client_files);
