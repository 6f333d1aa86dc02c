"""What only the command line does; lessons never import it.

cli      the commands and their arguments
run      the notebooks in order; page: what is written of them; times: how long they take
labs     notebooks without solutions; marking: an nbgrader course, and marker: how it runs checks
watch    faces and emotions in pictures, a video or the camera
"""
